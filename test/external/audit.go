// Verifies an exported log with the Go team's own tlog and note packages, and nothing of ours.
//
//	audit DIRECTORY VERIFIER-KEY [EARLIER-CHECKPOINT-FILE]
//
// It hashes every entry again, builds the tree, compares each tile and the signed root, and the root at the size of the earlier checkpoint.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

func main() {
	if len(os.Args) < 3 {
		fail("usage: audit DIRECTORY VERIFIER-KEY [EARLIER-CHECKPOINT-FILE]")
	}
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	size, root := checkpoint(filepath.Join(os.Args[1], "checkpoint"), verifier)
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index >= int64(len(hashes)) {
				return nil, fmt.Errorf("hash %d is not known yet", index)
			}
			found[i] = hashes[index]
		}
		return found, nil
	})
	var leaves []tlog.Hash
	for n := int64(0); n*width < size; n++ {
		for i, entry := range bundle(os.Args[1], n, size) {
			leaf := tlog.RecordHash(entry)
			leaves = append(leaves, leaf)
			stored, err := tlog.StoredHashesForRecordHash(n*width+int64(i), leaf, reader)
			check(err)
			hashes = append(hashes, stored...)
		}
	}
	if int64(len(leaves)) != size {
		fail("there are %d entries, and %d were signed", len(leaves), size)
	}
	for level := 0; ; level++ {
		if count := size >> (8 * level); count == 0 {
			break
		} else {
			tiles(os.Args[1], level, count, reader)
		}
	}
	same("the signed root", treeHash(size, reader), root)
	if len(os.Args) > 3 {
		earlier, known := checkpoint(os.Args[3], verifier)
		if earlier > size {
			fail("rolled back: %d entries were signed earlier, and there are %d", earlier, size)
		}
		same("the root of the earlier checkpoint", treeHash(earlier, reader), known)
	}
	fmt.Printf("%d entries, root %s\n", size, root)
}

func checkpoint(path string, verifier note.Verifier) (int64, tlog.Hash) {
	text, err := os.ReadFile(path)
	check(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		fail("%s is not a checkpoint of this log", path)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	bytes, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	var root tlog.Hash
	if copy(root[:], bytes) != len(root) {
		fail("%s has no root", path)
	}
	return size, root
}

func bundle(directory string, n, size int64) [][]byte {
	want := min(size-n*width, width)
	data := read(directory, "entries", n, want)
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			fail("bundle %d is cut short", n)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	if int64(len(entries)) != want {
		fail("bundle %d has %d entries, and %d are wanted", n, len(entries), want)
	}
	return entries
}

func tiles(directory string, level int, count int64, reader tlog.HashReader) {
	for n := int64(0); n*width < count; n++ {
		w := min(count-n*width, width)
		data := read(directory, strconv.Itoa(level), n, w)
		computed, err := tlog.ReadTileData(tlog.Tile{H: 8, L: level, N: n, W: int(w)}, reader)
		check(err)
		if !bytes.Equal(data, computed) {
			fail("tile %d of level %d is not that of the entries", n, level)
		}
	}
}

// The path of C2SP tlog-tiles: three digits an element, all but the last marked.
func read(directory, kind string, n, w int64) []byte {
	name := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	if w < width {
		name = fmt.Sprintf("%s.p/%d", name, w)
	}
	data, err := os.ReadFile(filepath.Join(directory, "tile", kind, name))
	check(err)
	return data
}

func treeHash(size int64, reader tlog.HashReader) tlog.Hash {
	hash, err := tlog.TreeHash(size, reader)
	check(err)
	return hash
}

func same(what string, computed, signed tlog.Hash) {
	if computed != signed {
		fail("%s differs from that of the entries", what)
	}
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
