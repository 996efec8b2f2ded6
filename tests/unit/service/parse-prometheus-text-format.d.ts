declare module 'parse-prometheus-text-format' {
  /** Throws when the text is not in Prometheus' format. */
  export default function parse(text: string): unknown;
}
