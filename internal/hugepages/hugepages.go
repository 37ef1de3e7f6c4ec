// Package hugepages makes the memory of large texts cheaper to fill.
package hugepages

// Prefer asks the system to back the whole capacity of b, which should be fresh
// from make, by large pages. It changes nothing but the time that the first write
// to each page takes: for a text of many megabytes that is else as long as
// reading it from a file.
//
// Where the system has no such pages, or b is small, it does nothing.
func Prefer(b []byte) { prefer(b[:cap(b)]) }
