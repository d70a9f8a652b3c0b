/**
 * The PromQL editor: CodeMirror with Prometheus's own grammar and completion.
 *
 * It lives in a shadow tree: there CodeMirror adopts its style sheets through the DOM, which the strict policy of the
 * page allows, while in the document it would insert `<style>` elements, which the policy forbids.
 */

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { EditorState, Prec, StateEffect, StateField } from '@codemirror/state';
import { Decoration, type DecorationSet, EditorView, keymap, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';
import { useEffect, useRef } from 'preact/hooks';
import { address } from '../http';
import { wordAt } from './position';

export interface EditorProps {
  /** Replaces what is typed whenever another object is given. Typing comes back by `onChange` alone: written back, a fast typist would be overtaken by what was typed before. */
  given: { text: string };
  label: string;
  onChange: (text: string) => void;
  onRun: () => void;
  /** Index of an error in the text. */
  errorAt: number | null;
  autofocus?: boolean;
}

const colours = HighlightStyle.define([
  { tag: tags.number, color: 'var(--code-number)' },
  { tag: tags.string, color: 'var(--code-string)' },
  { tag: tags.keyword, color: 'var(--code-word)', fontWeight: '600' },
  { tag: [tags.function(tags.variableName), tags.modifier], color: 'var(--code-word)' },
  { tag: tags.labelName, color: 'var(--code-label)' },
  { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
  { tag: tags.invalid, color: 'var(--bad)' },
]);

const look = EditorView.theme({
  '&': { color: 'var(--ink)', backgroundColor: 'var(--panel)', fontSize: '14px', borderRadius: '6px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5' },
  '.cm-content': { padding: '7px 0', caretColor: 'var(--ink)' },
  '.cm-line': { padding: '0 10px' },
  '.cm-placeholder': { color: 'var(--muted)' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection': { backgroundColor: 'var(--selection)' },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--selection)' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', border: '1px solid var(--line)', borderRadius: '6px', boxShadow: 'var(--shadow)', overflow: 'hidden' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', fontSize: '13px', maxHeight: '18em', maxWidth: 'min(640px, 86vw)' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '3px 8px', lineHeight: '1.4' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--on-accent)' },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '700' },
  '.cm-completionDetail': { fontStyle: 'normal', opacity: '0.75', marginLeft: '1.2em' },
  '.cm-tooltip.cm-completionInfo': { padding: '6px 10px', maxWidth: '320px' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--bad)' },
  '.cm-error-here': { textDecoration: 'underline wavy var(--bad)', textUnderlineOffset: '4px' },
});

const setError = StateEffect.define<number | null>();

/** The mark under the place an answer complained about; any edit takes it away. */
const errorMark = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    for (const effect of transaction.effects) {
      if (!effect.is(setError)) continue;
      const [from, to] = wordAt(transaction.newDoc.toString(), effect.value ?? 0);
      return effect.value === null || from === to ? Decoration.none : Decoration.set([Decoration.mark({ class: 'cm-error-here' }).range(from, to)]);
    }
    return transaction.docChanged ? Decoration.none : marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

export function Editor(props: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const root = element.shadowRoot ?? element.attachShadow({ mode: 'open', delegatesFocus: true });
    const made = new EditorView({
      root,
      parent: root,
      state: EditorState.create({ doc: latest.current.given.text, extensions: extensions(latest) }),
    });
    view.current = made;
    if (latest.current.autofocus) made.focus();
    return () => {
      made.destroy();
      view.current = null;
    };
  }, []);

  useEffect(() => {
    const made = view.current;
    const { text } = props.given;
    if (made && made.state.doc.toString() !== text) made.dispatch({ changes: { from: 0, to: made.state.doc.length, insert: text } });
  }, [props.given]);

  useEffect(() => {
    view.current?.dispatch({ effects: setError.of(props.errorAt) });
  }, [props.errorAt]);

  return <div class="editor" ref={host} />;
}

function extensions(latest: { current: EditorProps }) {
  const promql = new PromQLExtension().setComplete({
    remote: {
      url: address('').replace(/\/$/, ''),
      httpMethod: 'GET',
      fetchFn: (input, init) => fetch(input, { ...init, credentials: 'same-origin' }),
      httpErrorHandler: () => undefined,
    },
  });
  const run = (): boolean => {
    latest.current.onRun();
    return true;
  };
  return [
    history(),
    bracketMatching(),
    closeBrackets(),
    autocompletion({ icons: false }),
    EditorView.lineWrapping,
    placeholder('Expression, for example rate(api_requests_total[5m])'),
    promql.asExtension(),
    syntaxHighlighting(colours),
    look,
    errorMark,
    EditorView.contentAttributes.of({ 'aria-label': latest.current.label }),
    keymap.of([...closeBracketsKeymap, ...defaultKeymap.filter((binding) => binding.key !== 'Enter'), ...historyKeymap, ...completionKeymap, ...lintKeymap]),
    Prec.low(
      keymap.of([
        { key: 'Enter', run, shift: () => false },
        { key: 'Mod-Enter', run },
      ]),
    ),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) latest.current.onChange(update.state.doc.toString());
    }),
  ];
}
