// The same operations through functions of the same names as stacks.c.
package main

import (
	"bufio"
	"fmt"
	"os"
)

//go:noinline
func journal(file *os.File, text string) {
	if put(file, text) != nil {
		os.Exit(3)
	}
}

// Apart, because Go may build WriteString into its caller, whose line would be the library's.
//go:noinline
func put(file *os.File, text string) error {
	_, err := file.WriteString(text)
	return err
}

//go:noinline
func writesByHand(file *os.File) {
	for i := 0; i < 7; i++ {
		journal(file, "by hand")
	}
}

//go:noinline
func writesByFoot(file *os.File) {
	for i := 0; i < 11; i++ {
		journal(file, "by foot")
	}
}

//go:noinline
func work(file *os.File) {
	writesByHand(file)
	writesByFoot(file)
	for i := 0; i < 13; i++ {
		file.Sync()
	}
}

func main() {
	file, err := os.Create(os.Args[1])
	if err != nil {
		os.Exit(2)
	}
	input := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	input.ReadString('\n')
	work(file)
	fmt.Println("done")
	input.ReadString('\n')
}
