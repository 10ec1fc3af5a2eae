/**
 * Which names in a policy directory are policies. Everything that an editor, git or Kubernetes leaves beside them is told by its name alone:
 * vim's `.a.yaml.swp`, `a.yaml~` and `4913`, Emacs' `.#a.yaml` and `#a.yaml#`, JetBrains' `a.yaml___jb_tmp___`, rsync's `.a.yaml.Xy12`, Office's
 * `~$a.yaml`, `.git`, and a ConfigMap's `..data` and `..2026_01_05…`, whose files are policies only by the links in front of them.
 */

/** Whether a file, or a link to one, of this name (no directory part) is a policy. */
export function isPolicyName(name: string): boolean {
  if (isHiddenName(name) || name.startsWith('~$')) return false;
  return name.endsWith('.yaml') || name.endsWith('.yml');
}

/** Whether an entry of this name is passed over with all that is below it. */
export function isHiddenName(name: string): boolean {
  return name.startsWith('.');
}

/** Whether a file of this name is ignored and was most likely meant as a policy: `GUARD.YAML` on a disk that keeps case. */
export function isAlmostPolicyName(name: string): boolean {
  return !isPolicyName(name) && isPolicyName(name.toLowerCase());
}

export const RENAME_HINT = 'a policy file is called `<name>.yaml` or `<name>.yml`, in lower case. Rename it.';
