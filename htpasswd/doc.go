// Package htpasswd reads and edits the htpasswd files of private Docker
// registries, and of nginx and Apache httpd. An edit changes the lines that it
// names and no other byte; new lines end as the others do, with LF or CRLF.
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
// Files of htdigest and of groups are not read.
//
// # Files
//
// [FileStore.Update] applies an edit to a file on disk. If many processes edit the
// file at once, all of their edits are kept: each waits for a lock. A reader sees
// the file before or after an edit and never a part of it, because a new file
// replaces the old one when it is complete and on disk.
package htpasswd
