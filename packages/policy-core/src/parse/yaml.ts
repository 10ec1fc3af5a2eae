/**
 * YAML text -> one tree, or what is wrong with it. The library gives syntax and places; what other readers of YAML see
 * differently is refused (agreement.ts, source.ts). Depth and size are checked while the text is read, before anything
 * recursive sees it.
 */
import { Composer, Lexer, Parser } from 'yaml';
import type { CST, Document, YAMLError } from 'yaml';
import { watchAgreement } from './agreement.ts';
import type { Findings } from './findings.ts';
import type { Node } from './nodes.ts';
import { MAX_DEPTH, buildTree } from './tree.ts';

/** Lexical pieces of a text. A policy of a mebibyte that a person wrote has fewer; a text made of brackets has more. */
const MAX_LEXEMES = 500_000;

/** The parser's stack holds a few tokens for each level of nesting. */
const MAX_STACK = 4 * MAX_DEPTH;

/**
 * Returns the root (null = an empty document), or null after reporting why there is none. There may be one in spite of what is reported (a key that
 * stands twice, a spelling that readers disagree about), so that its author learns at once what else is wrong.
 */
export function readYaml(text: string, findings: Findings): { readonly root: Node | null } | null {
  const documents = composeGuarded(text, findings);
  const [document, second] = documents ?? [];
  if (document !== undefined) for (const fault of document.errors.filter(({ pos }) => !findings.hasError(pos[0]))) report(fault, findings);
  if (second !== undefined) {
    findings.error('YAML_SEVERAL_DOCUMENTS', startOf(second), 'a second document starts here: a policy file is one document; put the other into a file of its own');
  }
  if (documents === null || (document !== undefined && document.errors.length > 0)) return null;
  return document === undefined ? { root: null } : buildTree(document, text, findings);
}

/** The library reports faults and does not throw them; should it ever, the text is at fault and not the process. */
function composeGuarded(text: string, findings: Findings): readonly Document.Parsed[] | null {
  try {
    return compose(text, findings);
  } catch (error) {
    findings.error('YAML_SYNTAX', 0, `the text cannot be read as YAML: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

/** The documents of a text, at most two: behind the beginning of a second one it is not read on. Null after reporting what cannot be read. */
function compose(text: string, findings: Findings): readonly Document.Parsed[] | null {
  const parser = new Parser();
  const composer = new Composer({ schema: 'failsafe', resolveKnownTags: false, uniqueKeys: false, prettyErrors: false, logLevel: 'silent' });
  const documents: Document.Parsed[] = [];
  const add = (composed: Iterable<Document.Parsed | Document>): void => {
    // Without a forced document, all that is composed comes from tokens, and so is a parsed one.
    for (const document of composed) documents.push(document as Document.Parsed);
  };
  /** `enough` where a second document has begun; `refused` after reporting what cannot be read on. */
  const take = (tokens: Iterable<CST.Token>): 'more' | 'enough' | 'refused' => {
    for (const token of tokens) {
      if (token.type === 'directive') {
        findings.error('YAML_SYNTAX', token.offset, 'a directive (a line that begins with `%`): policies are read without any; remove the line');
        return 'refused';
      }
      add(composer.next(token));
    }
    return documents.length < 2 ? 'more' : 'enough';
  };
  const watch = watchAgreement(findings);
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++lexemes > MAX_LEXEMES) {
      findings.error('YAML_TOO_LARGE', parser.offset, `the text has more than ${MAX_LEXEMES} pieces: split it into several policies`);
      return null;
    }
    watch(lexeme, parser.offset);
    const taken = take(parser.next(lexeme));
    if (taken !== 'more') return taken === 'refused' ? null : documents;
    if (parser.stack.length > MAX_STACK) return tooDeep(parser.offset, findings);
  }
  const taken = take(parser.end());
  if (taken === 'more') add(composer.end(false));
  return taken === 'refused' ? null : documents;
}

function tooDeep(offset: number, findings: Findings): null {
  findings.error('YAML_TOO_DEEP', offset, `collections are nested deeper than ${MAX_DEPTH} levels`);
  return null;
}

function startOf(document: Document.Parsed): number {
  return document.contents?.range[0] ?? document.range[0];
}

/** The library's words are good; only its talk about how it was called is not for authors of policies. */
function report(fault: YAMLError, findings: Findings): void {
  const message = fault.code === 'RESOURCE_EXHAUSTION' ? 'the text is nested too deeply' : lowerFirst(fault.message);
  findings.error('YAML_SYNTAX', fault.pos[0], message);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
