/**
 * JSON as a policy sees it. A number whose decimal text a double cannot hold keeps its text, so that no rule ever
 * compares a value that the upstream would read differently.
 */

/** A JSON number that changes when it is read as a double (9007199254740993, say). Comparing one is an error, and an error denies. */
export class InexactNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type JsonScalar = null | boolean | number | string | InexactNumber;
export type JsonValue = JsonScalar | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}
