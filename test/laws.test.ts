/** The laws of deciding on enough cases for every change; test/laws holds the long run. */
import { describeLaws } from './laws.suite.ts';

describeLaws(5_000);
