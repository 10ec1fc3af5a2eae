/** Hostile input, a little of it on every check; test/language/fuzz.test.ts has more. */
import { describeFuzz } from './fuzz.suite.ts';

describeFuzz(1000, 1000);
