/** cross-spawn has the face of Node's own spawn, and brings no types. */
declare module 'cross-spawn' {
  import type { spawn } from 'node:child_process';
  const crossSpawn: { readonly spawn: typeof spawn };
  export default crossSpawn;
}
