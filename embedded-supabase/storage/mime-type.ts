const pattern = /^[a-z0-9!#$&^_.+-]+\/(?:\*|[a-z0-9!#$&^_.+-]+)$/i;

/** Whether `entry` may stand in a bucket's `allowed_mime_types`: `image/png` or `image/*`. */
export function isMimeTypeRule(entry: string): boolean {
  return entry === '*/*' || pattern.test(entry);
}

/** Whether a content type, parameters such as `; charset=utf-8` left aside, fits one of the rules. */
export function isMimeTypeAllowed(contentType: string, rules: readonly string[]): boolean {
  const essence = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  return rules.some((entry) => {
    const rule = (entry.split(';')[0] ?? '').trim().toLowerCase();
    if (rule === '*/*') return true;
    return rule.endsWith('/*') ? essence.startsWith(rule.slice(0, -1)) : essence === rule;
  });
}
