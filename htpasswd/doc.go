// Package htpasswd reads and edits the htpasswd files of private Docker
// registries, and of nginx and Apache httpd. An edit changes the lines that it
// names and no other byte.
//
// # Format
//
// A line is "user:hash". Empty lines, and lines that begin with "#", are
// comments. [Parse] reads what the registry (github.com/distribution/distribution)
// reads, and reports why the registry would refuse a whole file: a line without a
// colon, a line of 65,536 bytes or more, or UTF-16.
//
// The registry accepts bcrypt hashes only. [HashPassword] makes them, and an edit
// of a [File] writes no others. The other schemes that such files hold (apr1,
// {SHA}, {SSHA}, SHA-crypt, MD5-crypt) can be verified with [Hash.Verify].
//
// # Promises
//
// New lines end as the others do, with LF or CRLF.
//
// [FileStore.Update] applies an edit to a file on disk. If many processes edit the
// file at once, all of their edits are kept: each waits for a lock. A reader sees
// the file before or after an edit and never a part of it, because a new file
// replaces the old one when it is complete and on disk. Owner, group and mode
// stay; on Linux also the access list and the extended attributes, on Windows the
// access list. A symbolic link to the file stays. The modification time grows with
// each edit, which is how the registry notices it.
//
// An edit reads the text once and writes it once. It needs about as much memory
// as the file is large, with InPlace about three times as much. [File.Apply]
// edits many users in one pass.
//
// # Limits
//
// The lock is a file of its own, ".NAME.lock" in the same directory, so it keeps
// out only programs that use it. If another program changes the file after it was
// read, Update notices and edits the new text; a change in the last microseconds
// before the rename is lost. Whether a lock holds among several machines depends
// on the network file system. Another hard link to the file keeps the old text,
// and so does a container into which the single file was mounted and not its
// directory.
//
// The package reads no htdigest and no htgroup files, and hashes with bcrypt only.
package htpasswd
