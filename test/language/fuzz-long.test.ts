/** Hostile input for minutes (npm run test:long); PORTCULLIS_SEED says from where. */
import { describeFuzz } from '../fuzz.suite.ts';

describeFuzz(400_000, 200_000);
