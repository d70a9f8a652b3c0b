/** Asks before something changes, does it, and says what came of it. */

import { FormDialog, type FormDialogProps } from './FormDialog';

export interface ConfirmProps extends Omit<FormDialogProps, 'act'> {
  act: () => Promise<unknown>;
}

export function Confirm({ act, ...others }: ConfirmProps) {
  return <FormDialog {...others} act={() => act()} />;
}
