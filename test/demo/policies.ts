/** The policy files that the demo writes and edits, as an author would. */

/** `readOnly`: the version that takes writing away. */
export function filesPolicy(options: { readonly writable: boolean; readonly secretFolder: string }): string {
  return `version: "1"
description: What agents may do with project files
default: deny
read_only: [read_text_file, list_directory]
tools:
  list_directory:
  read_text_file:
    rules:
      - name: not the secrets
        conditions:
          - { path: args.path, op: not_contains, value: ${options.secretFolder} }
        on_deny: Secrets are not for agents.
${options.writable ? '  write_file:\n    rules:\n      - name: thirty a minute\n        rate_limit: 30/minute\n' : ''}${options.writable ? '' : 'hide: [write_file]\n'}tests:
  - name: secrets stay secret
    call: { tool: read_text_file, arguments: { path: /x/${options.secretFolder}/key } }
    expect: deny
    rule: not the secrets
`;
}

/** A typo that a careless reader would miss: `conditons`. */
export function filesPolicyWithTypo(secretFolder: string): string {
  return filesPolicy({ writable: true, secretFolder }).replace('conditions:', 'conditons:');
}

export function otherPolicy(server: string, perMinute: number): string {
  return `version: "1"
description: A limit for ${server}
tools:
  "*":
    rules:
      - name: a calm pace
        rate_limit: ${perMinute}/minute
`;
}
