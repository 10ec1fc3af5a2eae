/** How the demo speaks: numbered steps, what was seen, and a stop at the first thing that is not so. */

export interface Stage {
  step(title: string): void;
  /** Prints one observation and fails the demo where it does not hold. */
  saw(what: string, holds: boolean): void;
  say(text: string): void;
  indent(text: string): void;
}

export function openStage(): Stage {
  let steps = 0;
  return {
    step: (title) => {
      steps += 1;
      console.log(`\n${steps}. ${title}`);
    },
    saw: (what, holds) => {
      console.log(`   ${holds ? '✓' : '✗'} ${what}`);
      if (!holds) throw new Error(`this should have held: ${what}`);
    },
    say: (text) => console.log(`   ${text}`),
    indent: (text) => {
      for (const line of text.trimEnd().split('\n')) console.log(`   │ ${line}`);
    },
  };
}

/** Milliseconds with a precision that a person reads. */
export function ms(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}
