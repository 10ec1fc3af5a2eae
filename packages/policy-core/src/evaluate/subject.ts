/** What a call is about: the section of a policy that speaks of it, the name it is known by there, and its arguments. */
import type { Call } from '../call.ts';
import type { JsonObject } from '../json.ts';
import type { Section } from './counters.ts';

export function sectionOf(call: Call): Section {
  switch (call.kind) {
    case 'tool':
      return 'tools';
    case 'resource':
      return 'resources';
    case 'prompt':
      return 'prompts';
    case 'method':
      return 'methods';
  }
}

export function nameOf(call: Call): string {
  switch (call.kind) {
    case 'tool':
    case 'prompt':
      return call.name;
    case 'resource':
      return call.uri;
    case 'method':
      return call.method;
  }
}

/** The MCP method that carries the call. */
export function methodOf(call: Call): string {
  switch (call.kind) {
    case 'tool':
      return 'tools/call';
    case 'prompt':
      return 'prompts/get';
    case 'resource':
    case 'method':
      return call.method;
  }
}

/** What `args.…` reads. A resource has its URI as its one argument. */
export function argumentsOf(call: Call): JsonObject {
  switch (call.kind) {
    case 'tool':
    case 'prompt':
      return call.arguments;
    case 'resource':
      return { uri: call.uri };
    case 'method':
      return call.params;
  }
}
