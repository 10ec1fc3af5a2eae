import { soak } from './soak.ts';

/** `SESSIONS=1000` for a long run. */
soak(Number(process.env['SESSIONS'] ?? 100));
