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

it('[R3] calls what a rollback withdrew held back, says how to let it publish, and says nothing of files that are being written back', async () => {
  const world = openApi();
  await world.save({ 'files.yaml': 'version: "1"\n' });
  const good = world.plane.state().version;
  const held = () => world.plane.history.read({ limit: 10, types: ['ChangeRefused'] });
  await world.save({ 'files.yaml': 'version: "1"\ndefault: deny\n' });
  expect((await world.ask('editor', 'POST', '/v1/rollback', { to: good, reason: 'bad', writeBack: true })).status).toBe(200);
  expect(held()).toEqual([]);
  await world.save({ 'files.yaml': 'version: "1"\ndefault: deny\nhide: [x]\n' });
  expect((await world.ask('editor', 'POST', '/v1/rollback', { to: good, reason: 'bad' })).status).toBe(200);
  const lines = held().flatMap(announcement).join('\n');
  expect(lines).toContain('held back: the content that the file files.yaml has was withdrawn');
  expect(lines).toContain('portcullis hold release files.yaml --as admin');
  expect(lines).not.toContain('refused');
  world.close();
});
