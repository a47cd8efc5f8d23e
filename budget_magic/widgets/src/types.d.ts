// What the kernel sends: see widgets/panel_sync.py and widgets/serialize.py.

export type KindName = "thinking" | "calls" | "results" | "text";
export type CeilingName = "cost" | "tokens" | "steps" | "time";
export type Tokens = Record<KindName, number>;

export interface Kind {
  label: string;
  text: string;
  share: number;
  live: number;
}

export interface Gauge {
  budget: number | null;
  used: number;
  number: string;
  caption: string;
  used_text: string;
  over: boolean;
  estimated: boolean;
  limit: number | null;
  began: number | null;
  turn_line: string;
  kinds: Record<KindName, Kind>;
}

export interface Pace {
  shares: number[];
  steps: number;
  more: number | null;
  left: string[];
  text: string;
}

export interface Ceiling {
  spent: string;
  held: string;
  of: string;
  ceiling: string;
  share: number;
  held_share: number;
  level: string;
  nearest: boolean;
  word: string;
  near: [bold: string, rest: string] | null;
}

export interface BillRow {
  kind: string;
  label: string;
  tokens: string;
  price: string;
  cost: string;
  token_share: number;
}

export interface Meters {
  says: string;
  counted: string;
  billed: string;
  counted_share: number;
  kinds: Tokens;
  rows: BillRow[];
  total: string;
  source: string;
  scope: string;
}

/** Something that can be chosen, and what it costs. */
export interface Choice {
  title: string;
  price: string;
  why: string;
}

export interface Offers {
  levels: string[];
  effort: string;
  next: string;
  effort_now: Choice;
  effort_next: Choice;
  budget: number | null;
  next_budget: number | null;
  least_budget: number;
  budgets: number[];
  budget_now: Choice;
  budget_next: Choice;
  ceilings: Record<CeilingName, Raise | null>;
}

export interface Raise {
  by: string;
  from: string;
  to: string;
  text: string;
}

export type InputField = [name: string, value: string, size: string];

export interface Approval {
  id: string;
  name: string;
  sentence: string;
  fields: InputField[];
  place: string;
}

export interface Head {
  task: string;
  turn: number;
  step: number;
  state: string;
  word: string;
  ended: boolean;
  now: string;
  simulated: string;
  settings: string;
  verdict: [sentence: string, lead: string, command: string, after: string] | null;
  notes: string[];
  gauge: Gauge;
  pace: Pace;
  ceilings: Partial<Record<CeilingName, Ceiling>>;
  meters: Meters;
  prompt: string;
  prompt_note: string;
  answer: string;
  cut: boolean;
  steps_text: string;
  approvals: Approval[];
  offers: Offers;
  no_events: boolean;
}

export interface Row {
  state: "done" | "live" | "cut";
  parts: [name: string, times: number, detail: string][];
  marks: [kind: string, text: string, sign: string][];
  tokens: Tokens;
  live: Tokens;
  counted: string;
  cost: string;
  time: string;
  why: string;
}

export interface Block {
  kind: "thinking" | "text" | "call" | "result";
  text?: string;
  html?: string;
  cut?: string;
  stream?: number;
  name?: string;
  id?: string;
  label?: string;
  size?: string;
  lines?: number;
  error?: boolean;
  more?: boolean;
}

export interface Step {
  number: number;
  row: Row;
  blocks: Block[] | null;
}

/** A block that streams: its finished Markdown as HTML, and the text after it. */
export interface Stream {
  id: number;
  step: number;
  kind: string;
  name: string;
  html: string[];
  /** where the text begins that is not in `html` */
  rendered: number;
  parts: string[];
  /** where `parts` begin: after `rendered` only where a snapshot left something out */
  start: number;
  length: number;
}

export interface StreamState
  extends Pick<Stream, "id" | "step" | "kind" | "name" | "html" | "rendered"> {
  from: number;
  text: string;
}

/** Lengths and offsets are in UTF-16 units. */
export interface Message {
  r: number;
  /** new streams */
  n?: [id: number, step: number, kind: string, name: string][];
  /** pieces of text */
  d?: [id: number, offset: number, text: string][];
  /** finished blocks of Markdown: what of the text they render, from where to where */
  m?: [id: number, from: number, to: number, html: string][];
  /** streams that do not count */
  x?: number[];
  /** the whole text of a call or a result */
  w?: [key: string, text: string, note: string];
  /** changes of steps */
  s?: { number: number; row?: Partial<Row>; from?: number; blocks?: Block[] }[];
  /** changes of everything else */
  h?: Partial<Head>;
}

export interface Snapshot {
  r: number;
  head: Head;
  steps: Step[];
  earlier: number;
  streams: StreamState[];
}

export interface Change {
  head: Set<string>;
  steps: Set<number>;
  all: boolean;
}

/** The form of a turn that a saved notebook keeps, and where it belongs. */
export interface Saved {
  panel: string;
  cell: string;
  ended: boolean;
  bundle: Record<string, unknown>;
}

/** A widget's model as anywidget hands it out; its values and the front end have no types here. */
export interface Model {
  // biome-ignore lint/suspicious/noExplicitAny: see above
  get(name: string): any;
  send(content: object): void;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  on(name: string, heard: (content: any) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  off(name: string, heard: (content: any) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  widget_manager?: any;
}
