/** Hostile input at length: PORTCULLIS_FUZZ_CASES says how much. */
import { describeFuzz } from '../fuzz.suite.ts';

const CASES = Number(process.env['PORTCULLIS_FUZZ_CASES'] ?? 50_000);

describeFuzz(CASES * 0.7, CASES * 0.3);
