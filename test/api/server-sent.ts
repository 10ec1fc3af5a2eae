/** Reads the plane's stream of events as any program would: over HTTP, without a library. */

export interface StreamedEvent {
  readonly id: number;
  readonly event: string;
  readonly data: { readonly seq: number; readonly id: string; readonly event: { readonly type: string } };
}

/** The first `count` events or more that the stream gives, then hangs up. Throws where the stream ends before. */
export async function readEvents(url: string, token: string, count: number, lastEventId?: number): Promise<readonly StreamedEvent[]> {
  const stop = new AbortController();
  const answer = await fetch(url, { signal: stop.signal, headers: { authorization: `Bearer ${token}`, ...(lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) }) } });
  const events: StreamedEvent[] = [];
  let rest = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of answer.body ?? []) {
      const blocks = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      events.push(...blocks.flatMap(eventOf));
      if (events.length >= count) return events;
    }
  } finally {
    stop.abort();
  }
  throw new Error(`the stream ended after ${events.length} of ${count} events`);
}

function eventOf(block: string): readonly StreamedEvent[] {
  const fields = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
  const data = fields.get('data');
  return data === undefined ? [] : [{ id: Number(fields.get('id')), event: fields.get('event') ?? '', data: JSON.parse(data) as StreamedEvent['data'] }];
}
