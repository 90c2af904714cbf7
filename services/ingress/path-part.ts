// Pure. A part of a path as it was meant: names hold slashes, colons and at signs, which clients write plainly or percent-encoded.

export function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // not percent-encoded after all
  }
}
