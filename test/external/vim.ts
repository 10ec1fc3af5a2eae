/** Real vim saves policy files while the real watcher looks: the last text always wins, and nothing in between is offered. */
import { execFileSync } from 'node:child_process';
import { openScene } from '../watch/scene.ts';

/** vim's ways to write: rename the old file away, copy it, decide itself, and no backup at all. */
const WAYS = ['backup backupcopy=no', 'backup backupcopy=yes', 'writebackup backupcopy=auto', 'nobackup nowritebackup'] as const;

export async function savesByVim(): Promise<string> {
  let saves = 0;
  for (const way of WAYS) {
    const scene = await openScene({ before: () => undefined });
    try {
      scene.write('files.yaml', 'version: "1"\ndescription: edition 0\n');
      await scene.until('the first text', () => scene.texts()['files.yaml']?.includes('edition 0') === true);
      for (let edition = 1; edition <= 5; edition += 1) {
        execFileSync('vim', ['-u', 'NONE', '-es', '-c', `set ${way}`, '-c', `%s/edition \\d\\+/edition ${edition}/`, '-c', 'wq', scene.path('files.yaml')], { stdio: 'ignore' });
        await scene.until(`edition ${edition} (${way})`, () => scene.texts()['files.yaml']?.includes(`edition ${edition}\n`) === true);
        saves += 1;
      }
      await scene.rest();
      const strange = scene.offers.flatMap((offer) => [...offer.documents].filter(([id, file]) => id !== 'files.yaml' || (file.kind === 'content' && !/^version: "1"\ndescription: edition \d\n$/.test(file.bytes.toString()))));
      if (strange.length > 0) throw new Error(`with ${way}, something else was offered: ${strange.map(([id]) => id).join(', ')}`);
    } finally {
      await scene.end();
    }
  }
  return `${saves} saves`;
}
