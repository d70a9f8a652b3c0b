export function Predict() {
  return null;
}
