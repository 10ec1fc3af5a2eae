/** Messages that some reader takes for another message than another reader does. None of them may pass, on any transport. */
/** Hides one tool, denies another always and a third by its arguments. */
export const POLICY = 'version: "1"\nhide: [secret]\ntools:\n  evil:\n    rules: [{ name: never, action: deny, on_deny: never }]\n  pay:\n    rules:\n      - name: max\n        conditions: [{ path: args.amount, op: lte, value: 100 }]\n';
const EVIL = '"name":"evil","arguments":{}';
const SAFE = '"name":"ok","arguments":{}';

const KEYS = (key: string): string[] => [key.toUpperCase(), key.charAt(0).toUpperCase() + key.slice(1), key.replace('s', '\u017f'), key.replace('k', '\u212a'), `${key}\\u0000`, `${key} `, `\\ufeff${key}`, Array.from(key, (c) => String.fromCodePoint((c.codePointAt(0) ?? 0) + 0xfee0)).join('')].filter((variant) => variant !== key);

/** Row of the table of attack classes (parser differentials), what it is, and the bytes of one message without its line end. */
export const HOSTILE: readonly (readonly [string, string, string | Buffer])[] = [
  ['P6', 'a carriage return between two messages', `{"jsonrpc":"2.0","id":1,"method":"ping","params":\r{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{${EVIL}}}\r}`],
  ['P6', 'a carriage return in white space', `{"jsonrpc":"2.0",\r"id":1,"method":"tools/call","params":{${SAFE}}}`],
  ['P6', 'a byte order mark', `\ufeff{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${EVIL}}}`],
  ['P2', 'a method twice', `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{${EVIL}}}`],
  ['P2', 'a method twice, the other way', `{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping","params":{${EVIL}}}`],
  ['P2', 'a name twice', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"evil","name":"ok"}}'],
  ['P2', 'a name twice, spelled differently', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok","n\\u0061me":"evil"}}'],
  ['P2', 'params twice', `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${SAFE}},"params":{${EVIL}}}`],
  ['P2', 'an argument twice', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":1,"amount":999}}}'],
  ['P2', 'an argument twice, deep', `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok","arguments":${'{"a":['.repeat(10)}{"x":1,"x":2}${']}'.repeat(10)}}}`],
  ['P1', 'arguments that fold to one another', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":1,"Amount":999}}}'],
  ['P6', 'NaN', `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"evil","arguments":{"x":NaN}}}`],
  ['P7', 'a number beyond doubles', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":1e400}}}'],
  ['P6', 'a comment', `{"jsonrpc":"2.0","id":1,/**/"method":"tools/call","params":{${EVIL}}}`],
  ['P6', 'two messages in one line', `{"jsonrpc":"2.0","id":1,"method":"ping"} {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{${EVIL}}}`],
  ['P6', 'an unpaired surrogate', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok","arguments":{"x":"\\ud800"}}}'],
  ['P5', 'a method in an array', `{"jsonrpc":"2.0","id":1,"method":["tools/call"],"params":{${EVIL}}}`],
  ['P4', 'a batch', `[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${EVIL}}}]`],
  ['P4', 'an empty batch', '[]'],
  ['P4', 'a batch in a batch', `[[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${EVIL}}}]]`],
  ['P11', 'a call that is an answer too', `{"jsonrpc":"2.0","id":1,"result":{},"method":"tools/call","params":{${EVIL}}}`],
  ['P11', 'an answer that is a result and an error', '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}'],
  ['P10', 'a call without id', `{"jsonrpc":"2.0","method":"tools/call","params":{${EVIL}}}`],
  ['P10', 'an allowed call without id', `{"jsonrpc":"2.0","method":"tools/call","params":{${SAFE}}}`],
  ['P10', 'a read without id', '{"jsonrpc":"2.0","method":"resources/read","params":{"uri":"a:b"}}'],
  ['P10', 'a task without id', '{"jsonrpc":"2.0","method":"tasks/result","params":{"taskId":"1"}}'],
  ['P10', 'a notification with id', '{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}'],
  ['P10', 'no jsonrpc', `{"id":1,"method":"tools/call","params":{${SAFE}}}`],
  ['P10', 'another jsonrpc', `{"jsonrpc":2.0,"id":1,"method":"tools/call","params":{${SAFE}}}`],
  ...['null', '1.5', '1.0', '1e2', '-0', '9007199254740993', '12345678901234567890123', 'true', '{}', '[]', '["a"]', `"${'x'.repeat(1100)}"`].map((id) => ['P10', `the id ${id.slice(0, 20)}`, `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{${SAFE}}}`] as const),
  ...['[]', '["evil"]', '"evil"', '5', 'true'].map((params) => ['P5', `params ${params}`, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`] as const),
  ...['5', 'null', '["evil"]', '{"toString":"evil"}', '""'].map((name) => ['P5', `the name ${name}`, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${name}}}`] as const),
  ...['[]', '"{}"', '1', 'true', '[{"x":1}]'].map((args) => ['P5', `arguments ${args}`, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"evil","arguments":${args}}}`] as const),
  ...['jsonrpc', 'id', 'method', 'params', 'result', 'error'].flatMap((key) => KEYS(key).map((variant) => ['P1', `the key ${variant}`, `{"jsonrpc":"2.0","id":1,"method":"ping","params":{${EVIL}},"${variant}":"tools/call"}`] as const)),
  ...['name', 'arguments', 'task', '_meta'].flatMap((key) => KEYS(key).map((variant) => ['P1', `the key params.${variant}`, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok","${variant}":"evil"}}`] as const)),
  ...KEYS('uri').map((variant) => ['P1', `the key params.${variant}`, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b","${variant}":"evil"}}`] as const),
  ['P6', 'invalid UTF-8', Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ev'), Buffer.from([0xff]), Buffer.from('il"}}')])],
  ['P6', 'overlong UTF-8', Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"'), Buffer.from([0xc1, 0xa5]), Buffer.from('vil"}}')])],
  ['P6', 'a surrogate in UTF-8', Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}}')])],
  ['P6', 'UTF-16', Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${EVIL}}}`, 'utf16le')],
  ['P6', 'a NUL before', `\u0000{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${EVIL}}}`],
  ['P6', 'a vertical tab before', `\v{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${EVIL}}}`],
  ['P5', 'a null method', `{"jsonrpc":"2.0","id":1,"method":null,"params":{${EVIL}}}`],
  ['P13', 'too deep', `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok","arguments":{"x":${'['.repeat(20_000)}${']'.repeat(20_000)}}}}`],
  ['P6', 'text', 'hello'],
];
