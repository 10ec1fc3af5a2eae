import type { Executed, Plane } from '../../apps/control-plane/src/plane.ts';

export function workOnce(plane: Plane, n: number, nowMs: number): Executed;
