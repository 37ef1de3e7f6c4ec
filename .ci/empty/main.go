// Command empty does nothing: how long any Go program takes to start.
package main

func main() {}
