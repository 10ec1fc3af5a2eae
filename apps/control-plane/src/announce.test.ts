import { expect, it } from 'vitest';
import { openApi } from '../../../test/api/open-api.ts';
import { announcement } from './announce.ts';

it('[F3] says once with which command a waiting removal is confirmed', async () => {
  const world = openApi();
  await world.save({ 'files.yaml': 'version: "1"\n', 'guard.yaml': 'version: "1"\nmatch: { server: "*" }\nhide: [write_file]\n' });
  await world.save({ 'guard.yaml': null });
  const [refused] = world.plane.history.read({ limit: 1, types: ['ChangeRefused'] });
  if (refused?.event.type !== 'ChangeRefused') throw new Error('the removal did not wait');
  const lines = announcement(refused).join('\n');
  expect(lines.match(/portcullis confirm/g)).toHaveLength(1);
  expect(lines).toContain(`portcullis confirm ${refused.event.change ?? ''} --as admin`);
  world.close();
});
