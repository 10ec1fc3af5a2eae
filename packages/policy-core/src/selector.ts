/** Which proxies something applies to. */

export type Labels = Readonly<Record<string, string>>;

/** Both parts must hold; an empty part holds for every proxy. */
export interface Selector {
  /** Globs over the server name. */
  readonly server: readonly string[];
  /** Each label must have one of its values (globs). */
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

/** What a selector is held against. */
export interface ProxyIdentity {
  readonly server: string;
  readonly labels: Labels;
}
