// The known work of work.py, in Go: a static program with system calls of its own.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

const (
	files, writes, missing, connections, rounds, refused, children = 13, 7, 5, 11, 3, 5, 3
	host                                                           = "127.0.0.1"
)

type told struct {
	Operations  map[string][]int `json:"operations"`
	Errors      [][]int          `json:"errors"`
	Files       [][]interface{}  `json:"files"`
	FailedOpens int              `json:"failed_opens"`
	Sends       int              `json:"sends"`
	Sent        int              `json:"sent"`
	Receives    int              `json:"receives"`
	Received    int              `json:"received"`
	Targets     [][]interface{}  `json:"targets"`
	Children    int              `json:"children"`
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func useFile(path string) []interface{} {
	operations, moved, block := 0, 0, make([]byte, 101)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	must(err)
	for i := 0; i < writes; i++ {
		written, err := file.Write(block)
		must(err)
		moved += written
		operations++
	}
	must(file.Sync())
	operations++
	must(file.Close())
	file, err = os.Open(path)
	must(err)
	for {
		got, err := file.Read(block)
		moved += got
		operations++
		if err == io.EOF {
			break
		}
		must(err)
	}
	must(file.Close())
	must(os.Remove(path))
	return []interface{}{path, operations, moved, 2}
}

func talk(port int, sum *told) {
	connection, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	must(err)
	message := make([]byte, 53)
	for i := 0; i < rounds; i++ {
		written, err := connection.Write(message)
		must(err)
		sum.Sends++
		sum.Sent += written
		for waiting := len(message); waiting > 0; {
			got, err := connection.Read(message)
			must(err)
			sum.Receives++
			sum.Received += got
			waiting -= got
		}
	}
	must(connection.Close())
}

func main() {
	directory := os.Args[1]
	port, err := strconv.Atoi(os.Args[2])
	must(err)
	closed, err := strconv.Atoi(os.Args[3])
	must(err)
	sum := told{Operations: map[string][]int{}, Errors: [][]int{}}
	fmt.Println("ready")
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	must(err)
	for i := 0; i < files; i++ {
		sum.Files = append(sum.Files, useFile(fmt.Sprintf("%s/file-%d", directory, i)))
	}
	for i := 0; i < missing; i++ {
		if _, err := os.Open(fmt.Sprintf("%s/missing-%d", directory, i)); errors.Is(err, os.ErrNotExist) {
			sum.FailedOpens++
		}
	}
	for i := 0; i < connections; i++ {
		talk(port, &sum)
	}
	failed := 0
	for i := 0; i < refused; i++ {
		if _, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(closed))); errors.Is(err, syscall.ECONNREFUSED) {
			failed++
		}
	}
	for i := 0; i < children; i++ {
		must(exec.Command("/bin/true").Run())
		sum.Children++
	}
	sum.Targets = [][]interface{}{{host, port, connections, 0, connections}, {host, closed, failed, failed, 0}}
	must(json.NewEncoder(os.Stdout).Encode(sum))
}
