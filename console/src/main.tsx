import './style.css';
import { render } from 'preact';
import { watchAddress } from './location';
import { watchPreferences } from './preferences';
import { loadSession } from './session';
import { App } from './shell/App';
import { watchKeys } from './shell/shortcuts';
import { watchRefresh } from './time/view';

watchPreferences();
watchAddress();
watchRefresh();
watchKeys();
void loadSession();
const root = document.getElementById('app');
if (root) render(<App />, root);
