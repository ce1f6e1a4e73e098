// SPDX-License-Identifier: Apache-2.0

import java.net.InetAddress;
import java.net.UnknownHostException;

/** Looks names up one after the other. */
public final class Resolve {
    public static void main(String[] names) {
        for (String name : names) {
            try {
                InetAddress.getAllByName(name);
            } catch (UnknownHostException unknown) {
                continue;
            }
        }
        System.out.println("done");
    }
}
