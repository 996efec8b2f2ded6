import { type AuditRule, type Finding, objectName, policyName } from './finding.ts';
import { PolicyExpression, PolicyTooComplexError, type Scene } from './policy-expression.ts';
import type { AuditedPolicy, SecuritySnapshot } from './snapshot.ts';

/** Columns that say whose row it is by their name alone: those of `storage.objects` among them. */
const ownerNames = ['user_id', 'owner', 'owner_id'];

/** Findings on policies, by what their expressions come to. Restrictive ones only narrow what others allow. */
export function policyFindings({ policies, tables }: SecuritySnapshot): Finding[] {
  return policies.flatMap((policy) => {
    if (!policy.permissive) return [];
    const table = tables.find(({ schema, name }) => schema === policy.schema && name === policy.table);
    return judge(policy, [...ownerNames, ...(table?.ownerColumns ?? [])]);
  });
}

const anon: Scene = { callerRole: 'anon', callerId: 'null', owner: 'somebody else' };
const user: Scene = { callerRole: 'authenticated', callerId: 'own', owner: 'somebody else' };
const nameless: Scene = { ...user, callerId: 'null' };
const ofNobody = (scene: Scene): Scene => ({ ...scene, owner: 'null' });

function judge(policy: AuditedPolicy, ownerColumns: readonly string[]): Finding[] {
  const { command, using, withCheck, appliesTo } = policy;
  const clauses = [
    ...(command === 'insert' || using === null ? [] : [{ clause: 'using', verb: 'reach', text: using }]),
    ...(withCheck === null ? [] : [{ clause: 'with check', verb: 'write', text: withCheck }]),
  ];
  return clauses.flatMap(({ clause, verb, text }) => {
    try {
      const expression = new PolicyExpression(text, ownerColumns);
      if (appliesTo.includes('anon') && [anon, ofNobody(anon)].some((scene) => expression.canHold(scene)))
        return [finding(policy, clause, 'policy-for-anon', `lets anon ${verb} rows`)];
      if (!appliesTo.includes('authenticated')) return [];
      if (expression.alwaysHolds(user))
        return [finding(policy, clause, 'policy-for-everyone', `lets every user ${verb} every row`)];
      if ([user, nameless].some((scene) => expression.canHoldOnlyIn(ofNobody(scene), scene)))
        return [finding(policy, clause, 'policy-null-owner', `lets every user ${verb} rows whose owner is null`)];
      return [];
    } catch (error) {
      if (!(error instanceof PolicyTooComplexError)) throw error;
      return [finding(policy, clause, 'policy-unclear', error.message)];
    }
  });
}

function finding(policy: AuditedPolicy, clause: string, rule: AuditRule, what: string): Finding {
  const table = objectName(policy.schema, policy.table);
  const alter = `alter policy ${policyName(policy.name)} on ${table}`;
  const roles = policy.appliesTo.includes('anon') ? ' to authenticated' : '';
  return {
    rule,
    object: `${table} ${policyName(policy.name)}`,
    what: `its ${clause} ${what}`,
    remedy: `${alter}${roles} ${clause} (<owner> = (select auth.uid()));`,
  };
}
