import { el } from "./dom";
import { text } from "./text";

const pictureName = /\.(jpe?g|png)$/i;

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const children: FileSystemEntry[] = [];
  for (;;) {
    // readEntries hands out a folder in portions; an empty one is the end.
    const portion = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (portion.length === 0) break;
    children.push(...portion);
  }
  return children.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
}

/** Every JPEG or PNG in a folder, by name; whatever else lies there was not meant. */
async function picturesIn(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const files: File[] = [];
  for (const child of await childrenOf(folder)) {
    if (child.isDirectory) files.push(...(await picturesIn(child as FileSystemDirectoryEntry)));
    else if (pictureName.test(child.name)) files.push(await fileOf(child as FileSystemFileEntry));
  }
  return files;
}

/** The files of a drop in the order they came; folders are opened. */
async function filesOf(transfer: DataTransfer): Promise<File[]> {
  // Entries and files must be taken before the first await: the list dies with the event.
  const sources = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const files = await Promise.all(
    sources.map(async ({ entry, file }) => {
      if (entry?.isDirectory) return picturesIn(entry as FileSystemDirectoryEntry).catch(() => []);
      return file ? [file] : [];
    }),
  );
  return files.flat();
}

/** A picture copied from a screen has a name that says nothing; the time says more. */
function named(file: File): File {
  if (file.name && file.name !== "image.png") return file;
  const time = new Date().toLocaleTimeString(text.locale);
  return new File([file], text.drop.pasted(time), { type: file.type });
}

const carriesFiles = (transfer: DataTransfer | null): transfer is DataTransfer =>
  transfer !== null && transfer.types.includes("Files");

/**
 * Takes files by file dialog, by drop anywhere on the window and by paste.
 * `take` gets them in order; with none where there was no picture in it.
 * Returns the function that opens the file dialog.
 */
export function intake(take: (files: File[]) => void): () => void {
  const input = el("input", {
    attr: { type: "file", multiple: true, accept: "image/jpeg,image/png,.jpg,.jpeg,.png", hidden: true },
    on: {
      change: () => {
        const files = [...(input.files ?? [])];
        input.value = "";
        if (files.length > 0) take(files);
      },
    },
  });
  const veil = el(
    "div",
    { class: "drop-veil", attr: { "aria-hidden": "true" } },
    el("p", { text: text.drop.over }),
  );
  document.body.append(input, veil);

  // dragenter and dragleave also fire for every element on the way: count them.
  let depth = 0;
  const hover = (change: number) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  addEventListener("dragenter", (event) => carriesFiles(event.dataTransfer) && hover(1));
  addEventListener("dragleave", (event) => carriesFiles(event.dataTransfer) && hover(-1));
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event.dataTransfer)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  addEventListener("drop", (event) => {
    hover(-depth);
    if (!carriesFiles(event.dataTransfer)) return;
    event.preventDefault();
    void filesOf(event.dataTransfer).then(take);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    take(files.map(named));
  });
  return () => input.click();
}
