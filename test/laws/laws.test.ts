/** The laws of deciding, at length: PORTCULLIS_LAW_CASES says how many cases. */
import { describeLaws } from '../laws.suite.ts';

describeLaws(Number(process.env['PORTCULLIS_LAW_CASES'] ?? 100_000));
