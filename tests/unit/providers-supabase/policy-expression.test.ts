import { describe, expect, test } from 'vitest';
import {
  PolicyExpression,
  PolicyTooComplexError,
  type Scene,
} from '../../../infra/providers/supabase/security-audit/policy-expression.ts';

const anon: Scene = { callerRole: 'anon', callerId: 'null', owner: 'somebody else' };
const user: Scene = { callerRole: 'authenticated', callerId: 'own', owner: 'somebody else' };
const nameless: Scene = { ...user, callerId: 'null' };
const ofNobody = (scene: Scene): Scene => ({ ...scene, owner: 'null' });

const judge = (text: string) => {
  const expression = new PolicyExpression(text, ['user_id']);
  return {
    forAnon: expression.canHold(anon) || expression.canHold(ofNobody(anon)),
    forEveryone: expression.alwaysHolds(user),
    forNobodysRows: [user, nameless].some((scene) => expression.canHoldOnlyIn(ofNobody(scene), scene)),
  };
};
const closed = { forAnon: false, forEveryone: false, forNobodysRows: false };

describe('closed: only whose row it is', () => {
  test.each([
    '(user_id = ( SELECT auth.uid() AS uid))',
    '(auth.uid() = user_id)',
    "((user_id)::text = (auth.jwt() ->> 'sub'::text))",
    "(user_id = (((current_setting('request.jwt.claims'::text, true))::json ->> 'sub'::text))::uuid)",
    '((user_id = auth.uid()) AND ((deleted_at IS NULL) OR (deleted_at > now())))',
    '((user_id = auth.uid()) AND (user_id IS NOT NULL))',
    '(EXISTS ( SELECT FROM conversations c WHERE ((c.id = messages.conversation_id) AND (c.user_id = ( SELECT auth.uid() AS uid)))))',
    '(conversation_id IN ( SELECT c.id FROM conversations c WHERE (c.user_id = auth.uid())))',
    '(auth.uid() IN ( SELECT m.user_id FROM members m WHERE (m.team_id = teams.id)))',
    '(auth.uid() = ANY (member_ids))',
    "((bucket_id = ANY (ARRAY['a'::text, 'b'::text])) AND ((storage.foldername(name))[1] = (( SELECT auth.uid() AS uid))::text))",
    'CASE WHEN (user_id = auth.uid()) THEN true ELSE false END',
    '((user_id = auth.uid()) IS TRUE)',
    'false',
    '(NOT true)',
  ])('%s', (text) => expect(judge(text)).toEqual(closed));
});

describe('rows of nobody are open to every user', () => {
  test.each([
    '((user_id IS NULL) OR (user_id = auth.uid()))',
    '((user_id = auth.uid()) OR ((user_id IS NULL) AND (kind = 1)))',
    '(COALESCE(user_id, auth.uid()) = auth.uid())',
    '(NOT (user_id <> auth.uid()) IS TRUE)',
    '((user_id = auth.uid()) IS NOT FALSE)',
    '((user_id = auth.uid()) IS UNKNOWN)',
    '(user_id IS NULL)',
    'CASE WHEN (user_id IS NULL) THEN true ELSE (user_id = auth.uid()) END',
    '(EXISTS ( SELECT FROM conversations c WHERE ((c.id = messages.conversation_id) AND ((c.user_id IS NULL) OR (c.user_id = auth.uid())))))',
  ])('%s', (text) => expect(judge(text).forNobodysRows).toBe(true));

  test('so it is for a token without an id', () => {
    expect(judge('(NOT (user_id IS DISTINCT FROM auth.uid()))')).toEqual({
      ...closed,
      forAnon: true,
      forNobodysRows: true,
    });
  });

  test('rows that are shown for another reason are no such hole', () => {
    expect(judge('((user_id = auth.uid()) OR is_public)').forNobodysRows).toBe(false);
    expect(judge("((user_id = auth.uid()) OR (status = 'shared'::text))").forNobodysRows).toBe(false);
  });
});

describe('open to every user', () => {
  test.each([
    'true',
    '(auth.uid() IS NOT NULL)',
    "(auth.role() = 'authenticated'::text)",
    '((user_id = auth.uid()) OR true)',
    '((user_id = auth.uid()) OR (user_id <> auth.uid()))',
    '(is_public OR (NOT is_public))',
  ])('%s', (text) => expect(judge(text).forEveryone).toBe(true));
});

describe('open to whoever has no user', () => {
  test.each([
    ['true', true],
    ["(auth.role() = 'anon'::text)", true],
    ["(auth.role() = 'authenticated'::text)", false],
    ['(auth.uid() IS NOT NULL)', false],
    ['is_public', true],
    ['((user_id = auth.uid()) OR is_public)', true],
    ['((user_id = auth.uid()) AND is_public)', false],
    ["(bucket_id = 'public'::text)", true],
    ['(EXISTS ( SELECT FROM shares s WHERE (s.id = messages.id)))', true],
  ])('%s: %s', (text, isOpen) => expect(judge(text).forAnon).toBe(isOpen));
});

test('what asks too many things is said to be too much', () => {
  const text = Array.from({ length: 13 }, (_, index) => `(c${index} = 1)`).join(' OR ');
  expect(() => judge(`(${text})`)).toThrow(PolicyTooComplexError);
});
