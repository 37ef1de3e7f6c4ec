// Package htpasswd reads and edits the htpasswd files of private Docker
// registries, and of nginx and Apache httpd, without losing a byte of them that
// it was not asked to change.
//
// # The format
//
// A line is "user:hash". Empty lines and lines that begin with "#" are comments.
// [Parse] reads what the registry (github.com/distribution/distribution) reads,
// and refuses what makes it refuse everybody: a line without a colon, a line of
// 65,536 bytes or more, UTF-16.
//
// Of all hashes the registry takes bcrypt only. That is what [HashPassword]
// makes and what the edits of a [File] accept; the other schemes that such files
// hold (apr1, {SHA}, SHA-crypt) can be verified, with [Hash.Verify].
//
// # What an edit promises
//
// An edit of a [File] changes the lines of the user it names and no other byte.
// New lines end as the others do, with LF or CRLF.
//
// [FileStore.Update] applies edits to a file on disk. Edits by many processes at
// once are all kept: each waits for a lock. Readers see the file before or after
// an edit and never a part of it, as a new file takes the place of the old one
// when it is complete and on disk. Owner, group and mode of the file stay, on Linux
// its access list too, on Windows the access list instead. A symbolic link to it
// stays as well, and its modification time grows with each edit, which is how the
// registry notices.
//
// An edit reads the text once and writes it once: what it takes grows with the
// size of the file, about one byte of memory for each, or two with InPlace. Many
// edits in one Update share that pass, as an index of the users is built for them.
//
// # What it does not promise
//
// The lock is a file of its own, ".NAME.lock" beside the file: it keeps out only
// those who take it. An edit that another program made between the reading and
// the replacing is noticed, and the edit made again on its text; one that falls
// between that look and the rename, a few microseconds later, is lost. Whether a
// lock holds among several machines is up to the network file system. Another
// hard link to the file keeps the old text, and so does a container into which
// the file itself was mounted instead of its folder.
package htpasswd
