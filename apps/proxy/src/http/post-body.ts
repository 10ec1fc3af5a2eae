/** The body of a POST from an agent, as the one line that is judged and sent on; or why it is none (P2). */
import type { IncomingMessage } from 'node:http';
import { mediaType } from './answer.ts';

export type PostBody = { readonly ok: true; readonly line: Buffer } | { readonly ok: false; readonly status: number; readonly detail: string };

/**
 * Reads at most `maxBytes`. What kind of body it is is for its bytes to say, not for its header; but encodings and charsets that
 * some server would undo are refused, since we would have judged something else than it reads.
 */
export async function readPost(request: IncomingMessage, maxBytes: number): Promise<PostBody> {
  const fault = headerFault(request);
  if (fault !== null) return { ok: false, status: 415, detail: fault };
  const declared = Number(request.headers['content-length'] ?? 0);
  const tooLong = { ok: false, status: 413, detail: `the body is longer than ${maxBytes} bytes` } as const;
  if (declared > maxBytes) return tooLong;
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) return tooLong;
    pieces.push(chunk);
  }
  return { ok: true, line: Buffer.concat(pieces) };
}

function headerFault(request: IncomingMessage): string | null {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== '') return `a body in the content encoding ${JSON.stringify(encoding)} is not read: send it as it is`;
  const type = request.headers['content-type'] ?? '';
  const charsets = [...type.matchAll(/charset\s*\*?\d*\s*=\s*"?\s*([^\s";,]*)/gi)].map(([, name]) => (name ?? '').toLowerCase());
  const charset = charsets.find((name) => name !== 'utf-8' && name !== 'utf8');
  if (charset !== undefined) return `a body in the charset ${JSON.stringify(charset)} is not read: JSON is UTF-8`;
  // Form bodies are split by the parts of the type's parameters; nothing in this protocol is one.
  return mediaType(type).startsWith('multipart/') ? 'a multipart body is not read: a message is one JSON text' : null;
}
