/** The conformance fixture over stdio, in both eras. */
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { createFixtureServer } from './fixture-server.ts';

serveStdio(() => {
  const server = createFixtureServer({ breakOff: () => undefined, toolsChanged: () => server.sendToolListChanged(), promptsChanged: () => server.sendPromptListChanged() });
  return server;
});
