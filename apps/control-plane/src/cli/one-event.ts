/** One event in full: everything that the log holds of it, nothing shortened. */
import type { PlaneEvent, Recorded } from '../domain/events.ts';
import { VERSION_EVENTS } from '../domain/events.ts';
import { happening } from './happening.ts';
import { problemLines } from './problem-lines.ts';
import { moment } from './table.ts';
import { wrapped } from './wrap.ts';

/** Where values begin, beside their names. */
const NAME_WIDTH = 8;

/** @param who the actor in words */
export function eventInFull(recorded: Recorded, who: string): readonly string[] {
  const { seq, id, atMs, actor, auth, reason, reasonErased, cause, event } = recorded;
  const fact = (name: string, value: string): readonly string[] => wrapped(`  ${name.padEnd(NAME_WIDTH)} ${value}`, undefined, NAME_WIDTH - 1);
  return [
    `event ${seq}: ${event.type}${VERSION_EVENTS.has(event.type) ? ` (version ${seq})` : ''}`,
    ...fact('when', moment(atMs)),
    ...fact('who', `${who === actor.id ? who : `${who}: ${actor.kind} ${actor.id}`}${auth.method === 'none' ? '' : `, by ${auth.method}${auth.ref === null || auth.ref === actor.id ? '' : ` ${auth.ref}`}`}`),
    ...(reason === null && !reasonErased ? [] : fact('because', reasonErased ? '(erased)' : (reason ?? ''))),
    ...fact('what', happening(recorded)),
    ...fact('id', id),
    ...(cause === null ? [] : fact('cause', `the event with the id ${cause}`)),
    ...bodyLines(event),
  ];
}

/** The event's own fields, as they were recorded; problems as `check` shows them. */
function bodyLines(event: PlaneEvent): readonly string[] {
  const problems = 'problems' in event ? event.problems : [];
  const fields = Object.entries(event).filter(([name]) => name !== 'type' && name !== 'problems');
  return [...fields.flatMap(([name, value]) => valueLines(name, value, 1)), ...problems.flatMap((problem) => problemLines(problem).map((line) => `  ${line}`))];
}

function valueLines(name: string, value: unknown, depth: number): readonly string[] {
  const indent = '  '.repeat(depth);
  if (Array.isArray(value)) return value.length === 0 ? [] : [`${indent}${name}:`, ...(value as readonly unknown[]).flatMap((one) => itemLines(one, depth + 1))];
  if (typeof value === 'object' && value !== null) return [`${indent}${name}:`, ...Object.entries(value).flatMap(([inner, one]) => valueLines(inner, one, depth + 1))];
  return value === null ? [] : wrapped(`${indent}${name}: ${plain(value)}`);
}

/** An object of a list begins with a dash, so that two are told apart. */
function itemLines(value: unknown, depth: number): readonly string[] {
  const indent = '  '.repeat(depth);
  if (typeof value !== 'object' || value === null) return wrapped(`${indent}- ${plain(value)}`);
  const lines = Object.entries(value).flatMap(([name, one]) => valueLines(name, one, depth + 1));
  return lines.map((line, n) => (n === 0 ? `${indent}- ${line.trimStart()}` : line));
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
