/** What fires, and the rules behind it. */

import { exploreHref } from '../explore/address';
import { place, setParameters } from '../location';
import { zone } from '../preferences';
import { fetchRules, type Alert, type Rule, type RuleGroup } from '../prometheus';
import { useResource } from '../resource';
import { Chip } from '../shell/Chip';
import { PageHead } from '../shell/PageHead';
import { Empty, Loaded } from '../shell/states';
import { TimeControls } from '../shell/TimeControls';
import { sayState, toneOf } from '../shell/verdicts';
import { formatAgo, formatTime, toMillis } from '../time/clock';
import { formatDuration } from '../time/duration';
import { ticks } from '../time/view';
import { formatValue } from '../units';

const STATES = ['firing', 'pending', 'inactive'] as const;

export function Alerts() {
  const groups = useResource(fetchRules, [ticks.value]);
  return (
    <>
      <PageHead title="Alerts & rules" about="What fires now, and the expressions that are evaluated all the time.">
        <TimeControls only="refresh" />
      </PageHead>
      <Loaded resource={groups}>{(all) => (all.length === 0 ? <NoRules /> : <Groups groups={all} />)}</Loaded>
    </>
  );
}

function NoRules() {
  return (
    <Empty title="No rules yet">
      <p>
        Put Prometheus rule files beside <code>prometheus.yml</code>, name them under <code>rule_files</code>, and reload with <code>POST /-/reload</code>. A rule that pages when the service stops
        answering:
      </p>
      <pre>{`groups:
  - name: service
    rules:
      - alert: TargetDown
        expr: up == 0
        for: 1m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.instance }} does not answer"}`}</pre>
    </Empty>
  );
}

function Groups({ groups }: { groups: RuleGroup[] }) {
  const only = place.value.parameters.get('state') ?? '';
  const alerting = groups.flatMap((group) => group.rules).filter((rule) => rule.type === 'alerting');
  const shown = (rule: Rule): boolean => only === '' || rule.state === only;
  return (
    <>
      <div class="tools">
        <div class="segments" role="group" aria-label="State">
          <button type="button" aria-pressed={only === ''} onClick={() => setParameters({ state: '' })}>
            All
          </button>
          {STATES.map((state) => (
            <button key={state} type="button" aria-pressed={only === state} onClick={() => setParameters({ state })}>
              {sayState(state)} {alerting.filter((rule) => rule.state === state).length}
            </button>
          ))}
        </div>
      </div>
      {groups.map((group) => {
        const rules = group.rules.filter(shown);
        if (rules.length === 0) return null;
        return (
          <section class="block" key={group.file + group.name}>
            <h2>
              {group.name}{' '}
              <small>
                {group.file}, every {formatDuration(group.interval)}, evaluated {formatAgo(toMillis(group.lastEvaluation), Date.now())} in {formatValue(group.evaluationTime, 'seconds')}
              </small>
            </h2>
            <ul class="rules">
              {rules.map((rule) => (
                <RuleItem key={rule.name + rule.query} rule={rule} />
              ))}
            </ul>
          </section>
        );
      })}
      {only !== '' && !alerting.some(shown) && <p class="nothing">No alert is {only}.</p>}
    </>
  );
}

function RuleItem({ rule }: { rule: Rule }) {
  const state = rule.type === 'alerting' ? (rule.state ?? 'inactive') : 'recording';
  const alerts = rule.alerts ?? [];
  return (
    <li>
      <details open={alerts.length > 0}>
        <summary>
          <Chip tone={toneOf(state)}>{sayState(state)}</Chip>
          <b>{rule.name}</b>
          {rule.duration ? <small>after {formatDuration(rule.duration)}</small> : null}
          {rule.health !== 'ok' && <Chip tone={toneOf(rule.health)}>{rule.health}</Chip>}
        </summary>
        <div class="rule-body">
          <a href={exploreHref([rule.query])} title="Open in Explore">
            <code>{rule.query}</code>
          </a>
          <Pairs pairs={{ ...rule.labels }} />
          {alerts.length === 0 &&
            Object.entries(rule.annotations ?? {}).map(([name, text]) => (
              <p key={name}>
                <small>{name}</small> {text}
              </p>
            ))}
          {rule.lastError && <p class="row-error">{rule.lastError}</p>}
          {alerts.length > 0 && <AlertTable name={rule.name} alerts={alerts} />}
        </div>
      </details>
    </li>
  );
}

function Pairs({ pairs }: { pairs: Record<string, string> }) {
  return (
    <span class="labels">
      {Object.entries(pairs).map(([name, value]) => (
        <code key={name}>
          {name}="{value}"
        </code>
      ))}
    </span>
  );
}

/** What an alert says, its templates expanded: the summary first, then all the others. */
function Annotations({ texts: { summary, ...others } }: { texts: Record<string, string> }) {
  return (
    <div class="annotations">
      {summary && (
        <p>
          <b>{summary}</b>
        </p>
      )}
      {Object.entries(others).map(([name, text]) => (
        <p key={name}>
          {name !== 'description' && <small>{name}</small>} {/^https?:\/\/\S+$/.test(text) ? <a href={text}>{text}</a> : text}
        </p>
      ))}
    </div>
  );
}

function AlertTable({ name, alerts }: { name: string; alerts: Alert[] }) {
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={`Alerts of ${name}`}>
      <table class="data">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Labels</th>
            <th scope="col">Since</th>
            <th scope="col" class="num">
              Value
            </th>
          </tr>
        </thead>
        <tbody>
          {alerts.map((alert) => (
            <tr key={JSON.stringify(alert.labels)}>
              <td>
                <Chip tone={toneOf(alert.state)}>{sayState(alert.state)}</Chip>
              </td>
              <td>
                <Pairs pairs={alert.labels} />
                <Annotations texts={alert.annotations} />
              </td>
              <td class="when" title={formatTime(toMillis(alert.activeAt), zone.value)}>{formatAgo(toMillis(alert.activeAt), Date.now())}</td>
              <td class="num">{formatValue(Number(alert.value), 'short', 5)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
