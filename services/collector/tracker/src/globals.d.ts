// Set by build.mjs.
declare const VERSION: string;
