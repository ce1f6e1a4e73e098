// The known work of work.py, in Java.

import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

class Work {
    static final int FILES = 13, WRITES = 7, MISSING = 5, CONNECTIONS = 11, ROUNDS = 3, REFUSED = 5, CHILDREN = 3;
    static final String HOST = "127.0.0.1";
    static int sends, sent, receives, received;

    static String useFile(String path) throws Exception {
        int operations = 0, moved = 0;
        byte[] block = new byte[101];
        try (FileOutputStream out = new FileOutputStream(path)) {
            for (int i = 0; i < WRITES; i++) {
                out.write(block);
                moved += block.length;
                operations++;
            }
            out.getFD().sync();
            operations++;
        }
        try (FileInputStream in = new FileInputStream(path)) {
            for (int got = 0; got >= 0; ) {
                got = in.read(block);
                moved += Math.max(got, 0);
                operations++;
            }
        }
        if (!new File(path).delete())
            throw new IllegalStateException(path);
        return String.format("[\"%s\",%d,%d,2]", path, operations, moved);
    }

    static void talk(int port) throws Exception {
        byte[] message = new byte[53];
        try (Socket connection = new Socket(HOST, port)) {
            OutputStream out = connection.getOutputStream();
            InputStream in = connection.getInputStream();
            for (int i = 0; i < ROUNDS; i++) {
                out.write(message);
                sends++;
                sent += message.length;
                for (int waiting = message.length; waiting > 0; ) {
                    int got = in.read(message);
                    receives++;
                    received += got;
                    waiting -= got;
                }
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        String directory = arguments[0];
        int port = Integer.parseInt(arguments[1]), closed = Integer.parseInt(arguments[2]);
        System.out.println("ready");
        System.in.read();
        List<String> files = new ArrayList<>();
        for (int i = 0; i < FILES; i++)
            files.add(useFile(directory + "/file-" + i));
        int failedOpens = 0;
        for (int i = 0; i < MISSING; i++)
            try {
                new FileInputStream(directory + "/missing-" + i);
            } catch (FileNotFoundException missing) {
                failedOpens++;
            }
        for (int i = 0; i < CONNECTIONS; i++)
            talk(port);
        int failed = 0;
        for (int i = 0; i < REFUSED; i++)
            try {
                new Socket(HOST, closed);
            } catch (ConnectException refused) {
                failed++;
            }
        int children = 0;
        for (int i = 0; i < CHILDREN; i++)
            children += new ProcessBuilder("/bin/true").start().waitFor() == 0 ? 1 : 0;
        String targets = String.format("[\"%s\",%d,%d,0,%d],[\"%s\",%d,%d,%d,0]", HOST, port, CONNECTIONS, CONNECTIONS, HOST,
                closed, failed, failed);
        System.out.println(String.format("{\"operations\":{},\"errors\":[],\"files\":[%s],\"failed_opens\":%d,\"sends\":%d,"
                + "\"sent\":%d,\"receives\":%d,\"received\":%d,\"targets\":[%s],\"children\":%d}", String.join(",", files),
                failedOpens, sends, sent, receives, received, targets, children));
    }
}
