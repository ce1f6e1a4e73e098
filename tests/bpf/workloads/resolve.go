// SPDX-License-Identifier: Apache-2.0

// Looks names up one after the other by Go's own resolver.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	for _, name := range os.Args[1:] {
		_, _ = net.LookupHost(name)
	}
	fmt.Println("done")
}
