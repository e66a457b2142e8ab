/** The files that a reader drops. */

/** All files of what was dropped, folders included. */
export async function dropped(transfer: DataTransfer): Promise<File[]> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((e) => e !== null);
  if (!entries.length) return Array.from(transfer.files);
  const files: File[] = [];
  for (let entry = entries.pop(); entry; entry = entries.pop()) {
    if (entry.isFile) {
      files.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
      continue;
    }
    // a reader gives a hundred entries at a time
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (let more = await read(reader); more.length; more = await read(reader)) entries.push(...more);
  }
  return files;
}

const read = (reader: FileSystemDirectoryReader) =>
  new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
