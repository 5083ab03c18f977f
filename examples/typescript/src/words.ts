/** A command as people send it: `*Disconnect*.` is `disconnect`, which the message of a connection tells them to reply. */
export function bareWord(message: string): string {
  return message.toLowerCase().replace(/^[*_."'`“”„‘’‚«»\s]+|[*_."'`“”„‘’‚«»\s]+$/g, "");
}
