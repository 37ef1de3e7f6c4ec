// Package hugepages makes the memory of large slices cheaper to fill.
package hugepages

import "unsafe"

// Prefer asks the system to back the whole capacity of s, which should be fresh
// from make, by large pages. It changes nothing but the time that the first write
// to each page takes: for a text of many megabytes that is else as long as
// reading it from a file.
//
// Where the system has no such pages, or s is small, it does nothing.
func Prefer[T any](s []T) {
	var element T
	memory := (*byte)(unsafe.Pointer(unsafe.SliceData(s)))
	prefer(unsafe.Slice(memory, cap(s)*int(unsafe.Sizeof(element))))
}
