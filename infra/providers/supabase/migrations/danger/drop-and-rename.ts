import type { DropStmt, FunctionParameter, Node, ObjectType, RenameStmt } from 'libpg-query';
import type { MadeSoFar } from './made-so-far.ts';
import { nameOfTable, partsOf, qualified, typeText } from './names.ts';
import type { Danger } from './rules.ts';

type OwnKind = Parameters<MadeSoFar['isOwn']>[0];

/** What earlier releases may name, with PostgreSQL's word for it. Indexes, constraints and triggers have no users by name. */
const used: Readonly<Partial<Record<ObjectType, { readonly word: string; readonly kind: OwnKind | undefined }>>> = {
  OBJECT_TABLE: { word: 'table', kind: 'relation' },
  OBJECT_VIEW: { word: 'view', kind: 'relation' },
  OBJECT_MATVIEW: { word: 'materialized view', kind: 'relation' },
  OBJECT_FOREIGN_TABLE: { word: 'foreign table', kind: 'relation' },
  OBJECT_SEQUENCE: { word: 'sequence', kind: 'relation' },
  OBJECT_FUNCTION: { word: 'function', kind: 'function' },
  OBJECT_PROCEDURE: { word: 'procedure', kind: 'function' },
  OBJECT_ROUTINE: { word: 'routine', kind: 'function' },
  OBJECT_AGGREGATE: { word: 'aggregate', kind: undefined },
  OBJECT_TYPE: { word: 'type', kind: 'type' },
  OBJECT_DOMAIN: { word: 'domain', kind: 'type' },
  OBJECT_SCHEMA: { word: 'schema', kind: 'schema' },
  OBJECT_EXTENSION: { word: 'extension', kind: undefined },
  OBJECT_COLUMN: { word: 'column', kind: undefined },
  OBJECT_ATTRIBUTE: { word: 'attribute', kind: undefined },
  OBJECT_POLICY: { word: 'policy', kind: undefined },
};

/** `later`: what the same file does after it. */
export function dangersOfDrop(
  { removeType, objects = [] }: DropStmt,
  made: MadeSoFar,
  later: readonly Node[],
): Danger[] {
  const object = removeType && used[removeType];
  if (!object) return [];
  return objects.flatMap((node) => {
    const name = droppedName(node, removeType);
    if (object.kind && made.isOwn(object.kind, name)) return [];
    if (removeType === 'OBJECT_POLICY' && isPolicyReplaced(node, made, later)) return [];
    if (isFunctionReplaced(node, later)) return [];
    return [{ rule: 'drop', what: `drop ${object.word} ${name}` }];
  });
}

function droppedName(node: Node, removeType: ObjectType): string {
  if ('ObjectWithArgs' in node) return qualified(partsOf(node.ObjectWithArgs.objname));
  if ('TypeName' in node) return qualified(partsOf(node.TypeName.names));
  if ('String' in node) return node.String.sval ?? '';
  const parts = 'List' in node ? partsOf(node.List.items) : [];
  if (removeType !== 'OBJECT_POLICY') return qualified(parts);
  return `"${parts.at(-1)}" on ${qualified(parts.slice(0, -1))}`;
}

/** The table is this file's own, or gets another policy in the same transaction. */
function isPolicyReplaced(node: Node, made: MadeSoFar, later: readonly Node[]): boolean {
  if (!('List' in node)) return false;
  const table = qualified(partsOf(node.List.items).slice(0, -1));
  if (made.isOwn('relation', table)) return true;
  return later.some(
    (next) =>
      'CreatePolicyStmt' in next && next.CreatePolicyStmt.table && nameOfTable(next.CreatePolicyStmt.table) === table,
  );
}

/** One of that name is made in the same transaction, and takes every call that the old one took. */
function isFunctionReplaced(node: Node, later: readonly Node[]): boolean {
  if (!('ObjectWithArgs' in node) || node.ObjectWithArgs.args_unspecified) return false;
  const name = qualified(partsOf(node.ObjectWithArgs.objname));
  const old = (node.ObjectWithArgs.objargs ?? []).map((type) => ('TypeName' in type ? typeText(type.TypeName) : ''));
  return later.some((next) => {
    if (!('CreateFunctionStmt' in next) || qualified(partsOf(next.CreateFunctionStmt.funcname)) !== name) return false;
    const given = (next.CreateFunctionStmt.parameters ?? []).flatMap((parameter) =>
      'FunctionParameter' in parameter && isInput(parameter.FunctionParameter) ? [parameter.FunctionParameter] : [],
    );
    return (
      given.length >= old.length &&
      given.every(({ argType, defexpr }, index) =>
        index < old.length ? argType && typeText(argType) === old[index] : defexpr !== undefined,
      )
    );
  });
}

const isInput = ({ mode }: FunctionParameter) => mode !== 'FUNC_PARAM_OUT' && mode !== 'FUNC_PARAM_TABLE';

export function dangersOfRename(statement: RenameStmt, made: MadeSoFar): Danger[] {
  const { renameType, relation, object, subname = '' } = statement;
  const kind = renameType && used[renameType];
  if (!kind || renameType === 'OBJECT_POLICY') return [];
  if (relation) {
    const isOwn = renameType === 'OBJECT_COLUMN' ? made.isOwnColumn(relation, subname) : made.isOwnTable(relation);
    const name = subname === '' ? nameOfTable(relation) : `${subname} of ${nameOfTable(relation)}`;
    return isOwn ? [] : [{ rule: 'rename', what: `rename ${kind.word} ${name}` }];
  }
  const name = object ? droppedName(object, renameType) : subname;
  return kind.kind && made.isOwn(kind.kind, name) ? [] : [{ rule: 'rename', what: `rename ${kind.word} ${name}` }];
}

/** `alter … set schema`: another name, too. */
export function dangersOfMove(node: Node, made: MadeSoFar): Danger[] {
  if (!('AlterObjectSchemaStmt' in node)) return [];
  const { objectType, relation, object, newschema = '' } = node.AlterObjectSchemaStmt;
  const kind = objectType && used[objectType];
  if (!kind) return [];
  const name = relation ? nameOfTable(relation) : object ? droppedName(object, objectType) : '';
  if (kind.kind && made.isOwn(kind.kind, name)) return [];
  return [{ rule: 'rename', what: `move ${kind.word} ${name} to schema ${newschema}` }];
}

export function dangersOfRenamedValue(node: Node, made: MadeSoFar): Danger[] {
  if (!('AlterEnumStmt' in node) || node.AlterEnumStmt.oldVal === undefined) return [];
  const type = qualified(partsOf(node.AlterEnumStmt.typeName));
  return made.isOwn('type', type)
    ? []
    : [{ rule: 'rename', what: `rename value '${node.AlterEnumStmt.oldVal}' of ${type}` }];
}
