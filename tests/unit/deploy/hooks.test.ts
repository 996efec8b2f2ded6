import { expect, it } from 'vitest';
import { hookEnvironment } from '../../../scripts/deploy/hooks.ts';

it('a hook is told the facts, and nothing else of our environment but what programs need', () => {
  const facts = {
    stack: 'ryzen',
    deploy: '20260401_093000-7',
    who: 'ada',
    machine: 'desk',
    from: 'aaaaaaaaaa',
    to: 'bbbbbbbbbb',
    commit: 'c0ffee',
    verdict: 'deployed',
    reason: '',
    seconds: '31.5',
  };
  const environment = {
    PATH: '/bin',
    LC_ALL: 'C.UTF-8',
    PULUMI_CONFIG_PASSPHRASE: 'secret',
    SUPABASE_ACCESS_TOKEN: 'sbp_secret',
    GITHUB_TOKEN: 'secret',
    HOME: undefined,
  };
  expect(hookEnvironment(facts, environment)).toEqual({
    PATH: '/bin',
    LC_ALL: 'C.UTF-8',
    CONVERSATION_KIT_STACK: 'ryzen',
    CONVERSATION_KIT_DEPLOY: '20260401_093000-7',
    CONVERSATION_KIT_WHO: 'ada',
    CONVERSATION_KIT_MACHINE: 'desk',
    CONVERSATION_KIT_FROM: 'aaaaaaaaaa',
    CONVERSATION_KIT_TO: 'bbbbbbbbbb',
    CONVERSATION_KIT_COMMIT: 'c0ffee',
    CONVERSATION_KIT_VERDICT: 'deployed',
    CONVERSATION_KIT_REASON: '',
    CONVERSATION_KIT_SECONDS: '31.5',
  });
});
