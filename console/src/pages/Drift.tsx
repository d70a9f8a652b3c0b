export function Drift() {
  return null;
}
